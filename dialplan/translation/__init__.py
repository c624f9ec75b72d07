"""What a proxy would make of dialplan rules: loading, translating, recurrences. Pure; no Django, no clock."""
