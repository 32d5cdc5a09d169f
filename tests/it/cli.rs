//! The conventions of the command line.
