"""Bank transfer in Python: two threads move money between the same accounts through the C interface; the sum of all balances never
changes. Usage: bank_transfer.py. Environment: PLIMSOLL_LIBRARY, the path of libplimsoll.so.0 unless the loader finds it."""
import json
import random
import threading

import plimsoll

ACCOUNTS, OPENING_BALANCE, THREADS, TRANSFERS = 10, 100, 2, 100


class NotEnoughMoney(Exception):
    pass


def key(number):
    return b"account-%02d" % number


def transfer(store, accounts, source, target, amount):
    def body(txn):
        have = int(txn.get(accounts, key(source)))
        if have < amount:
            raise NotEnoughMoney  # aborts the transaction, and reaches the caller of transact
        txn.put(accounts, key(source), b"%d" % (have - amount))
        txn.put(accounts, key(target), b"%d" % (int(txn.get(accounts, key(target))) + amount))

    store.transact(body)


def make_transfers(store, accounts, seed, refused):
    chance = random.Random(seed)
    for _ in range(TRANSFERS):
        source, target = chance.sample(range(ACCOUNTS), 2)
        try:
            transfer(store, accounts, source, target, chance.randint(1, 60))
        except NotEnoughMoney:
            refused.append(source)


def open_accounts(txn, accounts):
    for number in range(ACCOUNTS):
        txn.put(accounts, key(number), b"%d" % OPENING_BALANCE)


def main():
    refused = []
    with plimsoll.Store("bank.plim") as store:
        accounts = store.table("accounts")
        store.transact(lambda txn: open_accounts(txn, accounts))
        threads = [threading.Thread(target=make_transfers, args=(store, accounts, seed, refused)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        committed = json.loads(store.statistics())["counters"]["transactions_committed"]
    with plimsoll.Store("bank.plim") as store:  # all of it is there after a reopen
        accounts = store.table("accounts")
        balances = store.transact(lambda txn: list(txn.scan(accounts)))
        assert store.transact(lambda txn: txn.get(accounts, b"nobody")) is None
        assert store.transact(lambda txn: list(txn.scan(accounts, backward=True))) == balances[::-1]
    total = sum(int(balance) for _, balance in balances)
    print(f"plimsoll {plimsoll.version().decode()}: {THREADS * TRANSFERS} transfers, {len(refused)} refused, {total} in all accounts")
    assert [name for name, _ in balances] == [key(number) for number in range(ACCOUNTS)]
    assert total == ACCOUNTS * OPENING_BALANCE
    assert committed >= THREADS * TRANSFERS - len(refused)


main()
