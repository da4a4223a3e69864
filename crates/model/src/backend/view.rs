//! Views: the part of a flat buffer that an operation works on.

/// A matrix inside a flat buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Index of the first element.
    pub offset: usize,
    /// Rows as stored.
    pub rows: usize,
    /// Columns as stored.
    pub columns: usize,
    /// Elements from one row to the next, at least `columns`.
    pub stride: usize,
}

impl Area {
    /// A matrix whose rows are adjacent.
    pub fn new(offset: usize, rows: usize, columns: usize) -> Self {
        Area { offset, rows, columns, stride: columns }
    }

    /// Rows `from..from + rows` of this area.
    pub fn rows_from(self, from: usize, rows: usize) -> Self {
        assert!(from + rows <= self.rows, "rows {from}..{} of {}", from + rows, self.rows);
        Area { offset: self.offset + from * self.stride, rows, ..self }
    }

    /// Columns `from..from + columns` of this area.
    pub fn columns_from(self, from: usize, columns: usize) -> Self {
        assert!(
            from + columns <= self.columns,
            "columns {from}..{} of {}",
            from + columns,
            self.columns
        );
        Area { offset: self.offset + from, columns, ..self }
    }

    /// One past the last element, or `offset` if there is none.
    pub fn end(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return self.offset;
        }
        self.offset + (self.rows - 1) * self.stride + self.columns
    }

    /// Whether the rows are adjacent, without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.stride == self.columns || self.rows <= 1
    }
}

/// A matrix to read, as stored or transposed.
#[derive(Debug)]
pub struct View<'a, Buffer> {
    /// The buffer that holds it.
    pub buffer: &'a Buffer,
    /// Its part of the buffer.
    pub area: Area,
    /// Whether the operation sees the transpose.
    pub transposed: bool,
}

impl<Buffer> Clone for View<'_, Buffer> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Buffer> Copy for View<'_, Buffer> {}

impl<'a, Buffer> View<'a, Buffer> {
    /// The matrix as stored.
    pub fn new(buffer: &'a Buffer, area: Area) -> Self {
        View { buffer, area, transposed: false }
    }

    /// The same view of another buffer.
    pub(crate) fn on<Other>(&self, buffer: &'a Other) -> View<'a, Other> {
        View { buffer, area: self.area, transposed: self.transposed }
    }

    /// The transpose of this view.
    pub fn t(self) -> Self {
        View { transposed: !self.transposed, ..self }
    }

    /// Numbers in it.
    pub(crate) fn len(&self) -> usize {
        self.area.rows * self.area.columns
    }

    /// Rows and columns as the operation sees them.
    pub fn shape(&self) -> (usize, usize) {
        if self.transposed {
            (self.area.columns, self.area.rows)
        } else {
            (self.area.rows, self.area.columns)
        }
    }
}

/// A matrix to write.
#[derive(Debug)]
pub struct ViewMut<'a, Buffer> {
    /// The buffer that holds it.
    pub buffer: &'a mut Buffer,
    /// Its part of the buffer.
    pub area: Area,
}

impl<'a, Buffer> ViewMut<'a, Buffer> {
    /// The matrix as stored.
    pub fn new(buffer: &'a mut Buffer, area: Area) -> Self {
        ViewMut { buffer, area }
    }

    /// Numbers in it.
    pub(crate) fn len(&self) -> usize {
        self.area.rows * self.area.columns
    }
}
