import sqlite3


class Store:
    def __init__(self):
        self.cursor = sqlite3.connect("desk.db").cursor()

    def orders(self, wanted):
        query = "SELECT * FROM orders WHERE customer = ?"
        return self.cursor.execute(query, (wanted["customer"],)).fetchall()
