"""The record of everything that happened: versioned records, one NDJSON file per process, merged for judgement."""
