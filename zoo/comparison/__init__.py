"""Experiments side by side: results and where they come from, tables, pictures, report and leaderboard."""
