//! A text, character by character, and for each of them what else it could have been.

use inkling_engine::fixed::LOGIT_FRACTION_BITS;
use inkling_engine::sampler::Drawn;
use inkling_engine::{
    AlignedImage, Alphabet, Generator, ImageError, Lstm, Model, Settings, State, Symbol,
};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use inkling_engine::kernels::wasm::Wide as Kernel;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use inkling_engine::kernels::Tables as Kernel;

/// Characters that a choice names.
const NAMED: usize = 10;

/// Words of a choice: the character, how many draws it took, its probability as it was drawn and as the model
/// alone has it, how many it names; then of each that it names the character and both its probabilities.
/// Probabilities are floating-point numbers of 32 bits. What was spelt in several draws names what came into
/// question for the first of them.
pub const CHOICE_WORDS: usize = 5 + 3 * NAMED;

/// Stands in a choice for all characters that are spelt in several draws.
const SPELT: u32 = u32::MAX;

/// A model that lies in memory for good.
#[derive(Clone, Copy, Debug)]
pub struct OpenModel(Model<'static>);

impl OpenModel {
    /// Checks an image, and keeps a copy of it until the instance ends.
    ///
    /// # Errors
    /// What the engine finds wrong with it.
    pub fn new(image: &[u8]) -> Result<Self, ImageError> {
        // Of what is refused nothing is kept.
        let image = AlignedImage::new(image);
        image.model()?;
        let image: &'static AlignedImage = Box::leak(Box::new(image));
        Ok(Self(image.model()?))
    }

    /// Checksum, bytes, hidden size, layers, symbols, format and name, with tabs in between.
    #[must_use]
    pub fn description(&self) -> String {
        let Self(model) = self;
        format!(
            "{:08x}\t{}\t{}\t{}\t{}\t{}\t{}",
            model.checksum(),
            model.image_bytes(),
            model.hidden(),
            model.layers(),
            model.symbols(),
            model.version(),
            model.name(),
        )
    }
}

impl OpenModel {
    /// Whether it knows all characters of a prompt, in which a line end is a line feed.
    #[must_use]
    pub fn knows(&self, prompt: &[u8]) -> bool {
        let Self(model) = self;
        let is_plain =
            |c: char| c == '\n' || !(c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c));
        str::from_utf8(prompt).is_ok_and(|prompt| {
            prompt
                .chars()
                .all(|c| is_plain(c) && model.alphabet().knows(c))
        })
    }

    /// A prompt in characters that it knows, and behind a zero what the user should know of it.
    ///
    /// # Errors
    /// When it is no text.
    #[cfg(feature = "prompt")]
    pub fn read_prompt(&self, prompt: &[u8]) -> Result<String, String> {
        let Self(model) = self;
        let prompt = str::from_utf8(prompt).map_err(|_| "the prompt is not text".to_owned())?;
        let read = inkling_prompt::prompt::read(prompt, |c| model.alphabet().knows(c));
        let note = read.note().unwrap_or_default();
        Ok(read.text + "\0" + &note)
    }
}

/// What a text follows from, besides the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// How characters are chosen.
    pub settings: Settings,
    /// The seed.
    pub seed: u64,
    /// The prompt.
    pub prompt: &'a str,
}

impl<'a> Order<'a> {
    /// Reads temperature, top-k, top-p, guard and seed, each on a line of its own, and behind them the
    /// prompt, which may have several.
    ///
    /// # Errors
    /// A sentence about what cannot be read.
    pub fn read(text: &'a [u8]) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|_| "the prompt is not text".to_owned())?;
        let mut lines = text.splitn(6, '\n');
        let mut next = || lines.next().unwrap_or_default();
        let error = |name, error: &dyn std::fmt::Display| format!("{name}: {error}");
        let settings = Settings {
            temperature: next().parse().map_err(|why| error("temperature", &why))?,
            top_k: next()
                .parse()
                .map_err(|_| error("top-k", &"expected a whole number from 0 to 255"))?,
            top_p: next().parse().map_err(|why| error("top-p", &why))?,
            guard: next().parse().map_err(|why| error("guard", &why))?,
        };
        let seed = next().parse().map_err(|_| {
            error(
                "seed",
                &format_args!("expected a whole number from 0 to {}", u64::MAX),
            )
        })?;
        Ok(Self {
            settings,
            seed,
            prompt: next(),
        })
    }
}

/// Writes a text.
pub struct Writer {
    generator: Generator<'static, State, Kernel>,
    draws: Vec<Draw>,
}

/// What came into question in a draw.
#[derive(Clone, Debug, Default)]
struct Draw {
    drawn: f64,
    own: f64,
    /// The likeliest, with both their probabilities.
    named: Vec<(Symbol, f64, f64)>,
}

impl Writer {
    /// Reads the order and its prompt. With the writer come those characters of the prompt that the model
    /// knows: others are left out.
    ///
    /// # Errors
    /// As for [`Order::read`].
    pub fn begin(model: &OpenModel, order: &[u8]) -> Result<(Self, String), String> {
        let OpenModel(model) = *model;
        let order = Order::read(order)?;
        let lstm = Lstm::with_kernel(model, State::any(), kernel(model));
        let lstm = lstm.map_err(|error| error.to_string())?;
        let mut generator = Generator::of(lstm, order.settings, order.seed);
        let mut prompt = String::new();
        for character in order.prompt.chars() {
            if generator.prompt_char(character) {
                prompt.push(character);
            }
        }
        let draws = Vec::new();
        Ok((Self { generator, draws }, prompt))
    }

    /// Writes the next character; `choices` gets [`CHOICE_WORDS`] more words about it.
    pub fn write(&mut self, choices: Option<&mut Vec<u32>>) -> char {
        let Some(choices) = choices else {
            return self.generator.next_char();
        };
        let Self { generator, draws } = self;
        draws.clear();
        let character = generator.next_char_seen(|drawn| draws.push(Draw::of(&drawn)));
        let alphabet = generator.model().alphabet();
        let [drawn, own] = [
            draws.iter().map(|draw| draw.drawn).product::<f64>(),
            draws.iter().map(|draw| draw.own).product(),
        ];
        let first = draws.first().cloned().unwrap_or_default();
        let end = choices.len() + CHOICE_WORDS;
        choices.extend([
            character.into(),
            draws.len() as u32,
            bits(drawn),
            bits(own),
            first.named.len() as u32,
        ]);
        for (symbol, drawn, own) in first.named {
            choices.extend([shown(alphabet, symbol), bits(drawn), bits(own)]);
        }
        choices.resize(end, 0);
        character
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn kernel(model: Model<'_>) -> Kernel {
    Kernel::new(model)
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn kernel(_: Model<'_>) -> Kernel {
    Kernel
}

fn bits(probability: f64) -> u32 {
    (probability as f32).to_bits()
}

/// A symbol's character as choices name it.
fn shown(alphabet: Alphabet<'_>, symbol: Symbol) -> u32 {
    let character = alphabet.char(symbol);
    match inkling_engine::spelling::digit(character.into()) {
        None => character.into(),
        Some(_) => SPELT,
    }
}

impl Draw {
    fn of(drawn: &Drawn<'_>) -> Self {
        let unit = 1.0 / f64::from(1_u32 << LOGIT_FRACTION_BITS);
        let max = drawn.logits.iter().copied().max().unwrap_or_default();
        let own_weight = |logit: i16| ((f64::from(logit) - f64::from(max)) * unit).exp();
        let own_total: f64 = drawn.logits.iter().map(|&logit| own_weight(logit)).sum();
        let own = |symbol: Symbol| {
            let logit = drawn.logits.get(usize::from(symbol)).copied();
            own_weight(logit.unwrap_or(i16::MIN)) / own_total
        };
        let mut all = Vec::new();
        drawn.each(|symbol, weight| all.push((weight, symbol)));
        let total: f64 = all.iter().map(|&(weight, _)| f64::from(weight)).sum();
        let share = |weight: u32| f64::from(weight) / total;
        let its_own = all.iter().find(|&&(_, symbol)| symbol == drawn.symbol);
        let its_share = its_own.map_or(0.0, |&(weight, _)| share(weight));
        // The heaviest first; of equal ones that which has the higher logit, and then the first.
        let logit = |symbol: Symbol| drawn.logits.get(usize::from(symbol)).copied();
        all.sort_by_key(|&(weight, symbol)| std::cmp::Reverse((weight, logit(symbol))));
        let named = all.into_iter().take(NAMED);
        Self {
            drawn: its_share,
            own: own(drawn.symbol),
            named: named
                .map(|(weight, symbol)| (symbol, share(weight), own(symbol)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_engine::{Guard, Thousandths};

    fn model() -> OpenModel {
        let image = inkling_engine::writer::made_up(23, 40, 1, 2);
        OpenModel::new(image.bytes()).unwrap()
    }

    fn order(settings: &str, prompt: &str) -> Vec<u8> {
        format!("{settings}\n{prompt}").into_bytes()
    }

    #[test]
    fn an_order_is_read_as_a_command_line_is() {
        let text = b"0.55\n3\n0.9\noff\n18446744073709551615\ntwo\nlines";
        let order = Order::read(text).unwrap();
        let settings = Settings {
            temperature: Thousandths(550),
            top_k: 3,
            top_p: Thousandths(900),
            guard: Guard::Off,
        };
        assert_eq!(order.settings, settings);
        assert_eq!((order.seed, order.prompt), (u64::MAX, "two\nlines"));
    }

    #[test]
    fn what_cannot_be_read_gets_a_sentence_that_names_it() {
        for (text, name) in [
            ("-1\n0\n1\ntext\n1\n", "temperature: expected a number"),
            ("1\n256\n1\ntext\n1\n", "top-k: expected a whole number"),
            ("1\n0\nx\ntext\n1\n", "top-p: expected a number"),
            ("1\n0\n1\nno\n1\n", "guard: "),
            ("1\n0\n1\ntext\n1.5\n", "seed: expected a whole number"),
            ("", "temperature: "),
        ] {
            let error = Order::read(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
        assert!(Order::read(b"\xff").is_err());
    }

    #[test]
    fn a_text_with_its_choices_is_the_text_without_them() {
        let model = model();
        let OpenModel(plain) = model;
        for settings in ["0.8\n0\n1\ntext\n7", "0\n0\n1\n2\n7", "1.4\n5\n0.9\noff\n7"] {
            let bytes = order(settings, "ab\u{1F600}c");
            let (mut writer, prompt) = Writer::begin(&model, &bytes).unwrap();
            let known = |c: &char| plain.alphabet().knows(*c);
            assert_eq!(
                prompt,
                "ab\u{1F600}c".chars().filter(known).collect::<String>()
            );
            let order = Order::read(&bytes).unwrap();
            let mut generator =
                Generator::new(plain, State::any(), order.settings, order.seed).unwrap();
            prompt
                .chars()
                .for_each(|c| assert!(generator.prompt_char(c)));
            let mut choices = Vec::new();
            for written in 1..200 {
                let character = generator.next_char();
                assert_eq!(writer.write(Some(&mut choices)), character);
                assert_eq!(choices.len(), written * CHOICE_WORDS);
                check(
                    &choices[choices.len() - CHOICE_WORDS..],
                    character,
                    order.settings,
                );
            }
        }
    }

    /// A choice adds up, and what was written is part of it.
    fn check(choice: &[u32], character: char, settings: Settings) {
        let [code, draws, drawn, own, count] = *choice.first_chunk().unwrap();
        assert_eq!((code, draws), (character.into(), 1));
        let [drawn, own] = [drawn, own].map(f32::from_bits);
        let named = &choice[5..5 + 3 * count as usize];
        let named: Vec<(u32, f32, f32)> = named
            .chunks(3)
            .map(|word| (word[0], f32::from_bits(word[1]), f32::from_bits(word[2])))
            .collect();
        assert!(
            named
                .iter()
                .all(|&(_, share, _)| share > 0.0 && share <= 1.0)
        );
        assert!(named.is_sorted_by(|a, b| a.1 >= b.1), "{named:?}");
        let sum: f32 = named.iter().map(|&(_, share, _)| share).sum();
        match named.len() {
            NAMED => assert!(sum <= 1.0001),
            _ => assert!((sum - 1.0).abs() < 1e-4, "{named:?}"),
        }
        match named.iter().find(|&&(named, ..)| named == code) {
            Some(&(_, share, alone)) => assert_eq!((share, alone), (drawn, own)),
            None => assert_eq!(named.len(), NAMED),
        }
        if settings.temperature == Thousandths(0) {
            assert_eq!((named.len(), drawn), (1, 1.0));
        }
    }

    #[test]
    fn a_damaged_image_is_refused_with_the_engines_sentence() {
        let mut image = inkling_engine::writer::made_up(23, 40, 1, 2)
            .bytes()
            .to_vec();
        image[100] ^= 1;
        assert_eq!(OpenModel::new(&image).unwrap_err(), ImageError::Corrupted);
        assert_eq!(OpenModel::new(b"").unwrap_err(), ImageError::NotAnImage);
    }

    #[test]
    fn a_model_is_described_in_a_line() {
        let described = model().description();
        let fields: Vec<&str> = described.split('\t').collect();
        assert_eq!(fields.len(), 7);
        assert_eq!(fields[2..5], ["40", "1", "23"]);
    }
}
