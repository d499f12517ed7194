//! The files of a run: what is read of each is what would be written, and a run can be shown and compared
//! whatever its report says.

use std::time::SystemTime;

use host::checkpoint::{Header, Numbers, layout};
use host::cli::runs::{compare, describe, in_rows};
use host::name::Name;
use host::report::Report;
use host::runs::{Run, RunId, RunState};

/// The symbols of the text with which checkpoints are read.
const SYMBOLS: usize = 6;

/// Checkpoints: what `train --resume` reads before libtorch has a part in it.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(header) = Header::read(bytes) else {
        return;
    };
    let text = serde_json::to_string(&header).expect("it was just read");
    assert_eq!(serde_json::from_str(&text).ok().as_ref(), Some(&header));
    let recipe = &header.job.recipe;
    assert!(header.done() <= 1.0 || header.done().is_nan());
    if recipe.check().is_err() {
        return;
    }
    let model = &recipe.model;
    let [embedding, hidden, layers] =
        [model.embedding, model.hidden, model.layers].map(|size| size as usize);
    let layout = layout(SYMBOLS, embedding, hidden, layers);
    let size = [layers, recipe.data.batch as usize, hidden];
    if let Ok(numbers) = Numbers::read(bytes, &layout, &size) {
        let of_layout = layout
            .iter()
            .map(|(_, size)| size.iter().product::<usize>());
        let count: usize = of_layout.sum();
        assert!(
            numbers
                .networks
                .iter()
                .all(|network| network.len() == count)
        );
        let count: usize = size.iter().product();
        assert!(numbers.states.iter().all(|state| state.len() == count));
    }
}

/// Reports and identities: what `runs` reads, shows and compares.
pub fn report(bytes: &[u8]) {
    let id = RunId::from_json(bytes);
    assert!(id == RunId::default() || bytes.len() > id.as_str().len());
    let Some(report) = Report::from_json(bytes) else {
        return;
    };
    if let Ok(files) = report.files() {
        let [(_, json), (_, curve), (_, page)] = &files;
        assert_eq!(Report::from_json(json).as_ref(), Some(&report));
        // Nothing that the page shows is taken for a part of it.
        for shown in [curve, page] {
            assert!(!String::from_utf8_lossy(shown).contains("<script"));
        }
    }
    let name = Name::like("fuzzed");
    let disk = (u64::MAX, SystemTime::UNIX_EPOCH);
    let run = Run::of(name.clone(), Some(&report), RunState::Finished, disk);
    assert!(in_rows(std::slice::from_ref(&run)).contains("fuzzed"));
    let mut shown = Vec::new();
    describe(&mut shown, &run).expect("there is room in memory");
    let (names, reports) = ([name.clone(), name], [report.clone(), report]);
    assert!(!compare::in_words(&names, &reports).is_empty());
    assert!(compare::as_json(&names, &reports).is_ok());
    let _ = compare::draw(&names, &reports);
}
