"""Wrong inputs by the thousand, made by rule: no command may crash, hang or lose a row."""
