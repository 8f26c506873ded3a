"""The pictures to click on in the app, and the script that draws them."""
