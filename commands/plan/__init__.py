"""The command `plan`: what open numbers and sentences need, what decides most per hour first, and working it off."""
