"""The command `plan`: what open numbers and sentences need, most answers per hour first, and working it off."""
