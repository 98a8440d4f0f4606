"""The commands. Each module has one or a few; heavy imports happen inside, so that --help is quick."""
