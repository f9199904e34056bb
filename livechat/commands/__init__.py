"""The commands of `livechat`, a file each, and beside it the view of what it prints."""
