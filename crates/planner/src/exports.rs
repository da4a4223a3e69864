//! The functions that a page calls, over linear memory.
//!
//! A page asks for room, writes a text there, calls a function, and reads the text that it leaves.
//! Only the exported names are unsafe: two functions of one name would be a fault of the linker.
//! No pointer is followed here. The page reads and writes the buffer, and this file reads it only
//! between calls.

use std::cell::RefCell;

use crate::planner::Planner;

/// The text that is passed, and the law that was opened.
struct Desk {
    text: Vec<u8>,
    planner: Option<Planner>,
}

thread_local! {
    static DESK: RefCell<Desk> = const { RefCell::new(Desk { text: Vec::new(), planner: None }) };
}

/// Makes room for a text of this many bytes, and says where it begins.
#[unsafe(no_mangle)]
extern "C" fn planner_room(bytes: usize) -> *mut u8 {
    DESK.with_borrow_mut(|desk| {
        desk.text = vec![0; bytes];
        desk.text.as_mut_ptr()
    })
}

/// Where the text begins that the last call left.
#[unsafe(no_mangle)]
extern "C" fn planner_text() -> *const u8 {
    DESK.with_borrow(|desk| desk.text.as_ptr())
}

/// Reads the text as a law. Leaves what the page must know of it, and says how long that is.
#[unsafe(no_mangle)]
extern "C" fn planner_open() -> usize {
    DESK.with_borrow_mut(|desk| {
        let opened = Planner::open(&String::from_utf8_lossy(&desk.text));
        let (planner, text) = match opened {
            Ok(planner) => {
                let about = planner.about();
                (Some(planner), about)
            }
            Err(refused) => (None, refused.json()),
        };
        desk.planner = planner;
        desk.leave(text)
    })
}

/// Reads the text as a question. Leaves the answer, and says how long that is.
#[unsafe(no_mangle)]
extern "C" fn planner_answer() -> usize {
    DESK.with_borrow_mut(|desk| {
        let question = String::from_utf8_lossy(&desk.text);
        let answer = desk.planner.as_ref().map(|planner| planner.answer(&question));
        desk.leave(answer.unwrap_or_default())
    })
}

impl Desk {
    fn leave(&mut self, text: String) -> usize {
        self.text = text.into_bytes();
        self.text.len()
    }
}
