"""The user's own data: folders, archives, arrays, tables, data sets of the hub, objects in memory."""
