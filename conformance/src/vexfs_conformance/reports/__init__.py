"""What a run leaves for people and programs: terminal table, JSON lines, JUnit, one HTML file, a Markdown matrix, a badge."""
