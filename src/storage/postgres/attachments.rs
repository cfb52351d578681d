//! Attachments: who may upload one, and what was uploaded.
