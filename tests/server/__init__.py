"""Tests of livechat/server, each file of the module that it is named after.

Four modules have no file here: agent.py and link_record.py hold protocols and a record, which all others use;
models.py is a table, which test_terms.py goes through; the models of speech_models.py run in test_speech_agent.py.
"""
