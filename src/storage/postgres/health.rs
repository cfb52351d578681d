//! What the database says about itself.
