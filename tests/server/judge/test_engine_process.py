@pytest.mark.promise("policy.error_is_deny")
async def test_an_operators_rule_that_never_ends_meets_its_deadline_and_is_denied(tmp_path: Path) -> None:
    slow = "count([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i * j == 7]) > 0"
    rule = custom_rule(
        tmp_path, f'findings contains {{"effect": "ask"}} if {{\n\tinput.call.command == "slow"\n\t{slow}\n}}'
    )
    with judge(None, rule, deadline_s=0.2) as loaded:
        start = time.monotonic()
        answer = await loaded.decide(asks(command("ls"), text="slow"))
        assert time.monotonic() - start < 3
        assert ids(answer) == ["engine.error"]
        assert "longer than 0.2 s" in answer.rules[0].reason
        assert isinstance(await loaded.decide(asks(command("ls"), text="quick")), Allow)


@pytest.mark.promise("policy.error_is_deny")
async def test_an_operators_rule_that_kills_the_engine_again_and_again_denies_everything(tmp_path: Path) -> None:
    rule = custom_rule(
        tmp_path,
        'findings contains {"effect": "ask", "reason": f(1), "help": ""} if input.call.command == "crash"\n\nf(x) := f(x + 1)',
    )
    with judge(None, rule, deadline_s=0.5) as loaded:
        for _ in range(3):
            assert ids(await loaded.decide(asks(command("ls"), text="crash"))) == ["engine.error"]
        answer = await loaded.decide(asks(command("ls"), text="fine"))
        assert ids(answer) == ["engine.error"]
        assert "too often" in answer.rules[0].reason


async def test_closing_waits_for_no_question_and_leaves_no_process(tmp_path: Path) -> None:
    slow = "count([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i * j == 7]) > 0"
    rule = custom_rule(
        tmp_path, f'findings contains {{"effect": "ask"}} if {{\n\tinput.call.command == "slow"\n\t{slow}\n}}'
    )
    with judge(None, rule, deadline_s=1.0) as loaded:
        child = loaded._child._child if loaded._child else None
        assert child is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loaded.decide, asks(command("ls"), text="slow"))
            await anyio.wait_all_tasks_blocked()
            start = time.monotonic()
            loaded.close()
            assert time.monotonic() - start < 0.5
        assert child.poll() is not None
        assert ids(await loaded.decide(asks(command("ls")))) == ["engine.error"]
