//! `cargo xtask dist`: firmware files that can be flashed without a compiler, with their checksums.
//!
//! The same sources give the same files: paths of this machine are mapped away, and `--check` builds
//! everything again in another target folder and compares. Cargo takes compiler flags from the
//! environment, which a running program must not change, so each board is built by a second run of
//! this program (`dist-build`).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use comfy_table::{Table, presets};
use firmware::board::identity;
use host::device::board::Flasher;
use host::device::build::check_fit;
use host::device::flash::{Load, Package, uf2};
use host::device::{BOARDS, Board, Firmware, Footprint, Program, find};
use host::image;
use host::paths;
use inkling_engine::AlignedImage;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::command::Invocation;
use crate::esp;
use crate::homes;

/// Where the files go.
const FOLDER: &str = "dist";

/// What a maker must do before files with the identity for tests go to others; see
/// [`firmware::board::identity::USB_VENDOR`], which is where it is set.
const IDENTITY_FOR_TESTS: &str = "boards that are USB devices of their own have an identity that is for \
     private tests: before you hand these files or such boards on, get one of your own, which pid.codes \
     gives to open projects for nothing, and build with INKLING_USB_VENDOR and INKLING_USB_PRODUCT set to it";

/// The file with the checksums, in the format of `sha256sum`.
const CHECKSUMS: &str = "SHA256SUMS";

/// Options of `dist`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these boards [default: all that people own]
    #[arg(long)]
    board: Vec<String>,

    /// Build everything twice, in different target folders, and compare
    #[arg(long)]
    check: bool,
}

/// Options of `dist-build`.
#[derive(Debug, clap::Args)]
pub struct Build {
    board: String,
    model: PathBuf,
    output: PathBuf,
    /// With room for other models in its place.
    #[arg(long)]
    with_room: bool,
}

/// A file to hand on.
struct File {
    name: String,
    bytes: Vec<u8>,
}

/// Everything for one board.
struct Release {
    board: &'static Board,
    model: AlignedImage,
    footprint: Footprint,
    files: Vec<File>,
}

/// Runs `dist`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let boards = chosen(&args.board)?;
    let releases = release(&boards, &paths::project_dir().join("target/dist"))?;
    if args.check {
        let again = TempDir::new().context("cannot make a target folder")?;
        compare(&releases, &release(&boards, again.path())?)?;
        println!("built twice: every file is the same");
    }
    write(&releases)?;
    println!("{}", table(&releases));
    if identity::IS_FOR_TESTS {
        println!("note: {IDENTITY_FOR_TESTS}");
    }
    Ok(())
}

/// Builds one board's firmware; its output is the linked file.
pub fn build(args: &Build) -> anyhow::Result<()> {
    let board = find(&args.board)?;
    let firmware = match args.with_room {
        true => with_room(board, &args.model)?,
        false => Firmware::build(board, &args.model, Program::Console)?,
    };
    fs::write(&args.output, firmware.elf)
        .with_context(|| format!("cannot write {}", args.output.display()))
}

fn with_room(board: &'static Board, model: &Path) -> anyhow::Result<Firmware> {
    let mut firmware = Firmware::with_room(board, Program::Console)?;
    firmware.replace_model(image::open(model)?.bytes())?;
    Ok(firmware)
}

/// The files for a board that end so, with the model that ships: names and contents. Those `to_hand_on` tell
/// nothing of this machine; others are built as the tests build theirs, which takes no time behind them.
/// Where a board has no place for models but in the midst of its program, there is room for others.
pub fn files_of(
    board: &'static Board,
    endings: &[&str],
    to_hand_on: bool,
) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let files = match to_hand_on {
        true => {
            let target = paths::project_dir().join("target/dist");
            Release::build(board, &target, board.model_region.is_none())?.files
        }
        false => unchecked_files(with_room(board, &model_for(board)?)?)?,
    };
    let files = files.into_iter();
    let files = files.filter(|file| endings.iter().any(|ending| file.name.ends_with(ending)));
    Ok(files.map(|file| (file.name, file.bytes)).collect())
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Board>> {
    if names.is_empty() {
        return Ok(BOARDS
            .iter()
            .filter(|board| board.flasher.is_some())
            .collect());
    }
    let board = |name: &String| {
        let board = find(name)?;
        ensure!(board.flasher.is_some(), "{name} exists in emulators only");
        Ok(board)
    };
    names.iter().map(board).collect()
}

fn release(boards: &[&'static Board], target: &Path) -> anyhow::Result<Vec<Release>> {
    boards
        .iter()
        .map(|board| Release::build(board, target, false))
        .collect()
}

impl Release {
    fn build(board: &'static Board, target: &Path, has_room: bool) -> anyhow::Result<Release> {
        let model = model_for(board)?;
        let folder = TempDir::new().context("cannot make a folder for the linked file")?;
        let linked = folder.path().join("firmware.elf");
        let triple = board.target.to_uppercase().replace(['-', '.'], "_");
        let arguments = [board.name.into(), shown(&model), shown(&linked)];
        let program = std::env::current_exe().context("cannot find this program")?;
        Invocation::new(program)
            .args(["dist-build"])
            .args(arguments)
            .args(has_room.then_some("--with-room"))
            .env(format!("CARGO_TARGET_{triple}_RUSTFLAGS"), flags(target)?)
            .env("CARGO_TARGET_DIR", shown(target))
            .run()?;
        let firmware = Firmware::open(&linked)?;
        let footprint = firmware.footprint.clone();
        Ok(Release {
            board,
            model: image::open(&model)?,
            footprint,
            files: files(firmware)?,
        })
    }
}

/// The model that ships if it fits, else the largest of its kind that does.
fn model_for(board: &'static Board) -> anyhow::Result<PathBuf> {
    let mut models = vec![paths::default_model()];
    let mut others: Vec<_> = fs::read_dir(paths::weights_dir())
        .context("cannot read weights/")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("shakespeare-") && name.ends_with(".img")
        })
        .collect();
    let bytes = |path: &PathBuf| fs::metadata(path).map_or(0, |data| data.len());
    others.sort_by_key(|path| std::cmp::Reverse(bytes(path)));
    models.append(&mut others);
    models
        .into_iter()
        .find(|model| check_fit(board, model).is_ok())
        .with_context(|| format!("none of the models in weights/ fits {}", board.name))
}

/// The files that a board takes, which tell nothing of this machine.
fn files(firmware: Firmware) -> anyhow::Result<Vec<File>> {
    let files = unchecked_files(firmware)?;
    for file in &files {
        check_paths(file)?;
    }
    Ok(files)
}

/// The files that a board takes.
fn unchecked_files(firmware: Firmware) -> anyhow::Result<Vec<File>> {
    let board = firmware.board;
    let elf = firmware.elf.clone();
    let bin = || Load::from_elf(&elf).map(|load| load.to_bin());
    let load = Package::whole(firmware)?.load;
    let mut contents = match board.flasher {
        Some(Flasher::Uf2 { family, .. }) => {
            vec![("uf2", uf2::encode(&load, family)), ("bin", bin()?)]
        }
        Some(Flasher::Daplink { .. } | Flasher::Probe { .. }) => {
            vec![("hex", load.to_hex()?.into_bytes()), ("bin", bin()?)]
        }
        Some(Flasher::Espflash { chip, .. }) => vec![("bin", esp::flash_image(chip, &elf)?)],
        None => Vec::new(),
    };
    contents.push(("elf", elf));
    let file = |(extension, bytes)| File {
        name: format!("inkling-{}.{extension}", board.name),
        bytes,
    };
    Ok(contents.into_iter().map(file).collect())
}

/// No file may tell where it was built.
fn check_paths(file: &File) -> anyhow::Result<()> {
    for (path, _) in mapped(&paths::project_dir().join("target"))? {
        let path = shown(&path);
        if file
            .bytes
            .windows(path.len())
            .any(|part| part == path.as_bytes())
        {
            bail!("{} holds the path {path} of this machine", file.name);
        }
    }
    Ok(())
}

/// Folders of this machine and what stands for them in the files.
fn mapped(target: &Path) -> anyhow::Result<Vec<(PathBuf, &'static str)>> {
    let found = |home: Option<PathBuf>| home.context("cannot find your home folder");
    // The last one that matches counts.
    Ok(vec![
        (found(homes::cargo())?, "cargo"),
        (found(homes::rustup())?, "rustup"),
        (paths::project_dir().canonicalize()?, "inkling"),
        (target.to_path_buf(), "target"),
    ])
}

/// Flags that keep paths of this machine out of what is built.
pub fn flags(target: &Path) -> anyhow::Result<String> {
    let flags: Vec<_> = mapped(target)?
        .iter()
        .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()))
        .collect();
    for flag in &flags {
        ensure!(
            !flag.contains(char::is_whitespace),
            "a space in a folder's name ends a compiler flag, and there is one in {flag}: move the \
             project"
        );
    }
    Ok(flags.join(" "))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The first difference between two builds, if there is one.
fn compare(first: &[Release], second: &[Release]) -> anyhow::Result<()> {
    let files = |releases: &'_ [Release]| -> Vec<(String, String)> {
        let files = releases.iter().flat_map(|release| &release.files);
        files
            .map(|file| (file.name.clone(), digest(&file.bytes)))
            .collect()
    };
    for ((name, first), (_, second)) in files(first).into_iter().zip(files(second)) {
        ensure!(first == second, "{name} differs when it is built again");
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Replaces the files of the folder by these. The page, which is a folder in it, stays.
fn write(releases: &[Release]) -> anyhow::Result<()> {
    let folder = paths::project_dir().join(FOLDER);
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::remove_file(entry.path()).with_context(|| format!("cannot empty {FOLDER}/"))?;
        }
    }
    let mut checksums = String::new();
    for file in releases.iter().flat_map(|release| &release.files) {
        paths::write_atomic(&folder.join(&file.name), &file.bytes)
            .with_context(|| format!("cannot write {}", file.name))?;
        checksums += &format!("{}  {}\n", digest(&file.bytes), file.name);
    }
    let manifest = serde_json::to_string_pretty(&manifest(releases)?)? + "\n";
    checksums += &format!("{}  manifest.json\n", digest(manifest.as_bytes()));
    for (name, text) in [("manifest.json", manifest), (CHECKSUMS, checksums)] {
        paths::write_atomic(&folder.join(name), text.as_bytes())
            .with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn manifest(releases: &[Release]) -> anyhow::Result<Value> {
    let boards = releases.iter().map(|release| {
        let Release {
            board,
            footprint,
            files,
            ..
        } = release;
        let model = release.model.model()?;
        let file = |file: &File| {
            json!({
                "name": file.name,
                "bytes": file.bytes.len(),
                "sha256": digest(&file.bytes),
            })
        };
        Ok(json!({
            "board": board.name,
            "description": board.description,
            "target": board.target,
            "flasher": board.flasher,
            "model": {
                "name": model.name(),
                "bytes": model.image_bytes(),
                "checksum": format!("{:08x}", model.checksum()),
            },
            "flash_bytes": footprint.flash_bytes,
            "static_ram_bytes": footprint.static_ram_bytes,
            "files": files.iter().map(file).collect::<Vec<_>>(),
        }))
    });
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "usb": usb(),
        "boards": boards.collect::<anyhow::Result<Vec<_>>>()?,
    }))
}

/// The USB identity that the files have.
fn usb() -> Value {
    let mut usb = json!({
        "vendor": format!("{:04x}", identity::USB_VENDOR),
        "product": format!("{:04x}", identity::USB_PRODUCT),
    });
    if identity::IS_FOR_TESTS {
        usb["note"] = IDENTITY_FOR_TESTS.into();
    }
    usb
}

fn table(releases: &[Release]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["board", "flash", "static RAM", "files in dist/"]);
    for Release {
        board,
        footprint,
        files,
        ..
    } in releases
    {
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        table.add_row([
            board.name,
            &footprint.flash_bytes.to_string(),
            &footprint.static_ram_bytes.to_string(),
            &names.join(" "),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_that_people_own_gets_a_model() {
        for board in chosen(&[]).unwrap() {
            assert!(
                model_for(board).unwrap().ends_with("shakespeare-64k.img"),
                "{}",
                board.name
            );
        }
        let small = Board {
            flash_bytes: 1,
            ..*find("microbit").unwrap()
        };
        let error = model_for(Box::leak(Box::new(small)))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "none of the models in weights/ fits microbit");
    }

    #[test]
    fn makers_are_told_that_the_usb_identity_is_for_tests() {
        let usb = usb();
        assert_eq!(usb["vendor"], format!("{:04x}", identity::USB_VENDOR));
        let note = usb.get("note").and_then(Value::as_str);
        assert_eq!(note.is_some(), identity::IS_FOR_TESTS);
        if let Some(note) = note {
            assert!(
                note.contains("pid.codes") && note.contains("INKLING_USB_VENDOR"),
                "{note}"
            );
        }
    }

    #[test]
    fn boards_that_nobody_owns_get_no_files() {
        let error = chosen(&["mps2-an386".into()]).unwrap_err().to_string();
        assert_eq!(error, "mps2-an386 exists in emulators only");
        assert!(chosen(&["abacus".into()]).is_err());
    }

    #[test]
    fn a_file_that_tells_where_it_was_built_is_refused() {
        let path = shown(&paths::project_dir().canonicalize().unwrap());
        let file = |text: String| File {
            name: "inkling.elf".into(),
            bytes: text.into_bytes(),
        };
        assert!(check_paths(&file("inkling/firmware/src/main.rs".into())).is_ok());
        let error = check_paths(&file(format!("\0{path}/firmware"))).unwrap_err();
        assert!(error.to_string().contains(&path));
    }
}
