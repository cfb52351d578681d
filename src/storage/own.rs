//! Maps by numbers that the database gave out. Nobody can choose them so that they collide, so they
//! are hashed faster than what comes from outside.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// A map by numbers of our own.
pub(super) type OwnMap<K, V> = HashMap<K, V, RandomState>;

/// A set of numbers of our own.
pub(super) type OwnSet<K> = HashSet<K, RandomState>;
