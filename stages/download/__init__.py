"""The stage `download`: official files, every byte checked."""
