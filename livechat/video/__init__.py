"""What the model is shown: pictures of a screen, a camera or files, as JPEG. Nothing here is imported unasked."""
