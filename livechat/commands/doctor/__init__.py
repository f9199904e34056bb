"""`livechat doctor`: checks everything that a conversation needs, and says what to do about what is missing.

| file | what it checks |
|---|---|
| installation.py | Python, packages, speech models |
| sound.py | PortAudio, devices and their rates, the microphone's signal, the echo |
| pictures.py | the screen and the camera |
| terminal.py | what the screen needs of a terminal |
| configuration.py | the configuration file, and the variables |
| network.py | the key, the proxy, the server's name, TLS, the clock, a session on the configured server |
| storage.py | the kept conversations, and room on the disk |
| trial_call.py | a whole conversation with the embedded server |

run.py is the command: it has the table of checks, in their order. finding.py says what a check finds.
"""
