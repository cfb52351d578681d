//! The word that opens a self-destructing message: it travels in a link, and can be read aloud.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

const CONSONANTS: [char; 16] =
    ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
const SYLLABLES: usize = 16;

/// Of the values of a byte, those that are spread evenly over the 16 × 5 = 80 syllables.
const EVEN: u8 = 240;

/// A new word of exactly 32 lower-case letters: 16 times a consonant and a vowel, all equally
/// likely, so 16 × log2(80) = 101 bits of entropy.
///
/// The original walked through a table of letter triples and could stop early; words of 21 letters
/// were seen.
pub fn self_destruct_word(rng: &mut (impl CryptoRng + ?Sized)) -> Zeroizing<String> {
    let mut word = Zeroizing::new(String::with_capacity(SYLLABLES * 2));
    while word.len() < SYLLABLES * 2 {
        let mut byte = Zeroizing::new([0]);
        rng.fill_bytes(&mut *byte);
        let [value] = *byte;
        if value >= EVEN {
            continue;
        }
        word.push(CONSONANTS[usize::from(value % 16)]);
        word.push(VOWELS[usize::from(value / 16 % 5)]);
    }
    word
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_word_has_thirty_two_letters_always() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        for _ in 0..1000 {
            let word = self_destruct_word(&mut rng);
            assert_eq!(word.len(), 32);
            for (place, letter) in word.chars().enumerate() {
                assert_eq!(place % 2 == 1, VOWELS.contains(&letter), "{}", *word);
            }
        }
    }

    #[test]
    fn each_of_eighty_syllables_is_made_by_three_values_of_a_byte() {
        let syllables: Vec<(u8, u8)> =
            (0..EVEN).map(|value| (value % 16, value / 16 % 5)).collect();
        let different: HashSet<_> = syllables.iter().collect();
        assert_eq!(different.len(), 80);
        for syllable in different {
            assert_eq!(syllables.iter().filter(|other| *other == syllable).count(), 3);
        }
    }
}
