//! With the feature `sqlite`: the database is opened for reading only, and its schema is trusted
//! with nothing.

use std::path::Path;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::json::Row;
use crate::import::reader::chosen;
use crate::import::source::open;
use crate::import::spot::Spot;

const FORMAT: &str = "trackio";
/// The longest text of one row, in bytes.
const TEXT: i32 = 1 << 20;
/// The most runs of a project.
const RUNS: usize = 10_000;

pub(super) fn read(path: &Path, asked: &Asked, into: &mut Gathered) -> Result<()> {
    let spot = Spot { path, format: FORMAT };
    let damaged = |error: rusqlite::Error| spot.damaged("", error.to_string());
    // Refuses pipes, which SQLite would wait for.
    drop(open(path)?);
    let connection = connect(path).map_err(damaged)?;
    // A table, and no view: a view could compute for ever.
    let is_table = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'metrics'";
    let tables: i64 = connection.query_row(is_table, [], |row| row.get(0)).map_err(damaged)?;
    if tables == 0 {
        return Err(spot.damaged("", "it has no table `metrics`"));
    }
    let runs = || -> rusqlite::Result<Vec<String>> {
        let names = "SELECT DISTINCT run_name FROM metrics ORDER BY run_name LIMIT ?1";
        connection.prepare(names)?.query_map([RUNS as i64], |row| row.get(0))?.collect()
    };
    let runs = runs().map_err(damaged)?;
    if runs.is_empty() {
        return Err(spot.damaged("", "its table `metrics` holds no run"));
    }
    let run = chosen(runs, asked.run.as_deref())?;
    let mut statement = connection
        .prepare("SELECT step, metrics FROM metrics WHERE run_name = ?1 ORDER BY id")
        .map_err(damaged)?;
    let mut rows = statement.query([&run]).map_err(damaged)?;
    let mut number = 0;
    while let Some(row) = rows.next().map_err(damaged)? {
        number += 1;
        let place = format!("row {number} of `metrics`");
        let step: i64 = row.get(0).map_err(damaged)?;
        let step = u64::try_from(step).map_err(|_| spot.damaged(&place, "its step is below 0"))?;
        let text = row.get_ref(1).map_err(damaged)?;
        let bytes = text.as_bytes().map_err(|error| spot.damaged(&place, error.to_string()))?;
        let numbers = Row::parse(bytes).map_err(|error| spot.damaged(&place, error.to_string()))?;
        into.row(step, &numbers.numbers())?;
    }
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut name = path.to_path_buf();
    // Where nobody writes, SQLite is told so. Otherwise it would lay files of its own beside the
    // log.
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    if !Path::new(&beside).exists()
        && let Some(text) = path.to_str()
    {
        let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        name = format!("file:{escaped}?immutable=1").into();
        flags |= OpenFlags::SQLITE_OPEN_URI;
    }
    let connection = Connection::open_with_flags(name, flags)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, TEXT)?;
    connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 100)?;
    // What the file itself may ask for: nothing.
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; \
         PRAGMA query_only = ON;",
    )?;
    Ok(connection)
}
