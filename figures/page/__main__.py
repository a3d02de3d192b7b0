"""The command that puts several networks on one page."""

from system.program import run_program

run_program("figures.page.several:main")
