"""The generator of the website: documents of the repository and pages made from the cards."""
