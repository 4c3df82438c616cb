"""The report as one HTML file: a template, a style and a script of ours, and the script that plotly ships."""
