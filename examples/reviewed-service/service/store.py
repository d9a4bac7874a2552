import sqlite3


class Store:
    def __init__(self):
        self.cursor = sqlite3.connect("desk.db").cursor()

    def orders(self, wanted):
        query = f"SELECT * FROM {wanted['table']} WHERE customer = '{wanted['customer']}'"
        return self.cursor.execute(query).fetchall()
