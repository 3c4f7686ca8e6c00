"""What the store knows of people: taken out of it for good, or disguised on its way into files (docs/privacy.md)."""
