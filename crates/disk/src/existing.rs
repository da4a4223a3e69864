//! What to do where something is already.

/// What to do when the target of a new folder or file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Return an error before anything is written.
    Refuse,
    /// Replace it if it is clearly something that this tool made, and return an error otherwise.
    /// The old one is kept until the new one is complete.
    Replace,
    /// Replace it, whatever it is: it lies in a folder that the caller made and has locked.
    Own,
}
