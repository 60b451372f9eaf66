"""What is shown: results as one HTML file that opens with the network off, and figures for a paper.

Belongs here: turning `gnomon.blocks` into pages and figures. Does not belong here: computing anything that they show,
reading run folders (`gnomon.runs`) or serving pages.
"""

from gnomon.report._export import save_figure
from gnomon.report._figures import figure
from gnomon.report._format import format_cell
from gnomon.report._page import ReportRun, render, write
from gnomon.report._text import visible

__all__ = ["ReportRun", "figure", "format_cell", "render", "save_figure", "visible", "write"]
