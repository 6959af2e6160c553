"""A shopping cart; prices are in cents."""

from dataclasses import dataclass, field


@dataclass
class Cart:
    prices: list[int] = field(default_factory=list)

    def add(self, price: int, quantity: int = 1) -> None:
        if price < 0 or quantity < 1:
            raise ValueError("a price is not negative, a quantity at least one")
        self.prices += [price] * quantity

    def total(self, discount_percent: int = 0) -> int:
        """What is to be paid, rounded down in the buyer's favour."""
        whole = sum(self.prices)
        return whole - whole * discount_percent // 10
