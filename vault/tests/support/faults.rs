//! An object store that misbehaves on command, around one in memory.
