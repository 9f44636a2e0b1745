"""Recipes: name -> where it comes from, what it changes in Config, and what to expect. No torch here."""

from wgan.recipes.recipes import DEFAULT, RECIPES, Recipe, configure, recipe

__all__ = ["DEFAULT", "RECIPES", "Recipe", "configure", "recipe"]
