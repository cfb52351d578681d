//! Phones: accounts that are known by a telephone number, and their numbered devices.
//!
//! A phone registers by proving its number with a code, which makes its first device, number 1, and
//! ends all that the number had before. Further devices are linked by a code that the first one
//! asks for. A device is a session like any other: it has an inbox, and what is sent to its account
//! names all of its devices or nothing is sent.

pub mod code;
pub mod contact;
pub mod device;
pub mod keys;
pub mod limits;
pub mod linking;
pub mod lookup;
pub mod notifying;
pub mod number;
pub mod push_address;
pub mod registration;
pub mod relay;
pub mod sending;
pub mod switchboard;
pub mod token;
pub mod verification;

pub use code::{
    CodePurpose, CodeTry, CodeUse, NewCode, OutboxCode, PendingCode, Transport, Window,
};
pub use contact::{Contact, ContactToken, RelayContact};
pub use device::{
    Device, DeviceChange, DeviceNumber, NewDevice, NewLink, NewPhone, PasswordHash, Phone,
    PushAddress, PushKind, Registered,
};
pub use limits::{PhoneLimit, PhoneLimits};
pub use number::PhoneNumber;
pub use switchboard::{PhonePolicy, Switchboard};
