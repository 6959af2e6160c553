import pytest
from shop.cart import Cart


@pytest.fixture
def cart() -> Cart:
    cart = Cart()
    cart.add(250, quantity=2)
    cart.add(499)
    return cart


def test_the_total_is_the_sum_of_all_prices(cart: Cart) -> None:
    assert cart.total() == 999


def test_a_discount_is_in_percent(cart: Cart) -> None:
    assert cart.total(discount_percent=10) == 900


def test_a_full_discount_costs_nothing(cart: Cart) -> None:
    assert cart.total(discount_percent=100) == 0


def test_a_negative_price_is_refused(cart: Cart) -> None:
    with pytest.raises(ValueError, match="not negative"):
        cart.add(-1)
