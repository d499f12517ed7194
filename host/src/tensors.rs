//! Safetensors files of which the same content is always the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::Value;

/// Bytes in front of the header: its length.
const LENGTH_BYTES: usize = 8;

/// A longer header is no header; the library has the same limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Named tensors and strings on their way to a file.
#[derive(Debug, Default)]
pub struct Archive {
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
    strings: BTreeMap<String, String>,
}

impl Archive {
    /// Adds f32 numbers of this size.
    pub fn numbers(&mut self, name: String, size: &[usize], numbers: &[f32]) {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((name, size.to_vec(), bytes));
    }

    /// Adds one string.
    pub fn text(&mut self, key: &str, value: impl ToString) {
        self.strings.insert(key.to_owned(), value.to_string());
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When there are more or fewer numbers than the size of their tensor says.
    pub fn to_bytes(self) -> Result<Vec<u8>, SafeTensorError> {
        let views = self.tensors.iter().map(|(name, size, bytes)| {
            let view = TensorView::new(Dtype::F32, size.clone(), bytes)?;
            Ok((name.clone(), view))
        });
        let views = views.collect::<Result<_, SafeTensorError>>()?;
        serialize(views, self.strings)
    }
}

/// The numbers of a tensor in a file that was read.
///
/// # Errors
/// With the reason, when it is not there, not of f32 numbers or not of this size.
pub fn numbers<'f>(
    file: &SafeTensors<'f>,
    name: &str,
    size: &[usize],
) -> Result<impl ExactSizeIterator<Item = f32> + use<'f>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name} is not of 32-bit floats"));
    }
    if view.shape() != size {
        return Err(format!("{name} is of another size"));
    }
    let numbers = view.data().as_chunks::<4>().0.iter();
    Ok(numbers.map(|&bytes| f32::from_le_bytes(bytes)))
}

/// The bytes of a file with these tensors and strings.
///
/// # Errors
/// When a tensor is not what its view says.
pub fn serialize(
    tensors: Vec<(String, TensorView<'_>)>,
    strings: BTreeMap<String, String>,
) -> Result<Vec<u8>, SafeTensorError> {
    let mut bytes = safetensors::serialize(tensors, Some(strings.into_iter().collect()))?;
    sort_header(&mut bytes);
    Ok(bytes)
}

/// The tensors of a file, and the strings in its header, which must name this format.
///
/// # Errors
/// With the reason, when the file is damaged or of another format.
pub fn open<'f>(
    bytes: &'f [u8],
    format: &str,
) -> Result<(SafeTensors<'f>, HashMap<String, String>), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let metadata = header.metadata().clone().unwrap_or_default();
    if metadata.get("format").map(String::as_str) != Some(format) {
        return Err(format!("its format is not {format}"));
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    Ok((tensors, metadata))
}

/// The strings in a file's header, without reading its tensors.
#[must_use]
pub fn metadata_of(path: &Path) -> Option<BTreeMap<String, String>> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; LENGTH_BYTES];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return None;
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    let entries: BTreeMap<String, Value> = serde_json::from_slice(&header).ok()?;
    serde_json::from_value(entries.get("__metadata__")?.clone()).ok()
}

/// Brings the keys of the header, which the library writes in the order of a hash table, into order.
/// The header is JSON and as long in any order.
fn sort_header(bytes: &mut [u8]) {
    let Some((length, rest)) = bytes.split_first_chunk_mut::<LENGTH_BYTES>() else {
        return;
    };
    let length = u64::from_le_bytes(*length) as usize;
    let Some(header) = rest.get_mut(..length) else {
        return;
    };
    let Ok(entries) = serde_json::from_slice::<BTreeMap<String, Value>>(header) else {
        return;
    };
    let entries: BTreeMap<_, _> = entries
        .into_iter()
        .map(|(key, value)| (key, sorted(value)))
        .collect();
    // The same characters in another order, so it fits; the rest of the header is filled with spaces.
    if let Ok(text) = serde_json::to_vec(&entries)
        && text.len() <= header.len()
    {
        header.fill(b' ');
        header[..text.len()].copy_from_slice(&text);
    }
}

/// A value whose keys are in order, whichever map the JSON library keeps them in.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<String, Value> = map.into_iter().collect();
            Value::Object(map.into_iter().map(|(k, v)| (k, sorted(v))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_is_the_same_bytes() {
        let numbers = [1_u8, 2, 3, 4, 5, 6, 7, 8];
        let file = || {
            let view = |range: std::ops::Range<usize>| {
                TensorView::new(Dtype::U8, vec![range.len()], &numbers[range]).unwrap()
            };
            let tensors = vec![("b".to_owned(), view(0..5)), ("a".to_owned(), view(5..8))];
            let strings = (0..20).map(|n| (format!("key {n}"), format!("\"{n}\"\u{1b}é")));
            serialize(tensors, strings.collect()).unwrap()
        };
        let first = file();
        for _ in 0..10 {
            assert_eq!(file(), first);
        }
        let read = SafeTensors::deserialize(&first).unwrap();
        assert_eq!(read.tensor("a").unwrap().data(), [6, 7, 8]);
        let (_, header) = SafeTensors::read_metadata(&first).unwrap();
        let strings = header.metadata().clone().unwrap();
        assert_eq!(strings["key 7"], "\"7\"\u{1b}é");
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, &first).unwrap();
        assert_eq!(metadata_of(&path), Some(strings.into_iter().collect()));
        std::fs::write(&path, &first[..20]).unwrap();
        assert_eq!(metadata_of(&path), None);
    }
}
