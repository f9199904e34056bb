"""livechat beside other programs that hold a spoken call with the Live API: `python -m benchmarks.peers`.

| file | what is in it |
|---|---|
| __main__.py | the run, its options, and the table |
| programs.py | which programs there are, and how each is installed and started |
| stage.py | one program on a virtual card and a local server: what it is told, and what is measured |
| livekit_agent.py, pipecat_bot.py | the few lines that those two libraries need to be a program |

The code of the others is not kept here. Their packages are installed when the benchmark runs, each into an
environment of its own; Google's two scripts are given by --cookbook and --examples.
"""
