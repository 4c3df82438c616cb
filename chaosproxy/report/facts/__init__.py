"""The numbers of the report, part by part: from a journal and its verdict, in bounded memory; no rendering."""
