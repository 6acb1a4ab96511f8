"""The spool: what a store could not take, kept on disk until it is recorded there exactly once."""
