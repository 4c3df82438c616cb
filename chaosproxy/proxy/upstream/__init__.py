"""The upstream's edge: pooled HTTP/1.1 connections, driven by their callbacks."""
