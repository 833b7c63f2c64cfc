"""The stage `report`: one HTML file, and its figures."""
