//! The operator's invitations.
