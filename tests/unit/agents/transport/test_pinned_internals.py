"""What the batch transport relies on inside faust-streaming and aiokafka, none of which they promise.

When one of these fails after an upgrade, read what has become of the named thing, and mend agents/transport.
"""

import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import consumer as consumer_module
from aiokafka.consumer import fetcher as fetcher_module
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.memory_records import MemoryRecords
from faust.app.base import App
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.threads import ServiceThread

from agents.transport import PreparedBatch
from agents.transport.fetch import KeptRecords, UndecodedRecords, undecoding_consumer
from agents.transport.rebinding import rebind
from agents.transport.response_stream import ResponseStream

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}


def source_of(function: Callable[..., Any]) -> str:
    """The text of a function or class, its white space evened out."""
    return " ".join(inspect.getsource(function).split())


@pytest.mark.parametrize("package", PINNED)
def test_the_version_is_the_one_that_was_read(package: str) -> None:
    assert version(package) == PINNED[package], f"{package} has moved: check everything in this file against its source"


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (fetcher_module.Fetcher._proc_fetch_request, {"MemoryRecords", "PartitionRecords", "FetchResult"}),
        (consumer_module.AIOKafkaConsumer.start, {"Fetcher"}),
        (AIOKafkaConnection.connect, {"AIOKafkaProtocol", "asyncio"}),
        (AIOKafkaConnection._handle_frame, {"io"}),
        (AIOKafkaClient._get_conn, {"create_conn"}),
        (AIOKafkaClient._metadata_update, {"MetadataRequest"}),
        (AIOKafkaProducer.__init__, {"Sender", "AIOKafkaClient", "TransactionManager"}),
        (Sender._send_produce_req, {"SendProduceReqHandler"}),
        (PartitionAssignor._perform_assignment, {"CopartitionedAssignor"}),
    ],
)
def test_a_method_that_is_rebound_takes_these_names_from_its_module(
    function: Callable[..., Any], names: set[str]
) -> None:
    assert inspect.isfunction(function), f"{function} is no plain function any more: it cannot be rebound"
    assert function.__closure__ is None, f"{function.__qualname__} has a closure now: rebinding would lose it"
    missing = names - set(function.__code__.co_names)
    assert not missing, f"{function.__qualname__} uses no global {missing} any more"


def test_a_connection_reads_by_two_methods_of_its_reader_in_a_task_made_once_it_has_one() -> None:
    connect = source_of(AIOKafkaConnection.connect)
    assert connect.index("self._protocol = reader, writer, protocol") < connect.index("self._create_reader_task()")
    called = set(re.findall(r"reader\.(\w+)\(", source_of(AIOKafkaConnection)))
    assert called == {"readexactly", "at_eof"}
    assert called <= set(dir(ResponseStream)), "aiokafka asks for more of a reader now"
    assert "io.BytesIO(resp)" in source_of(AIOKafkaConnection._handle_frame)


def test_a_connection_makes_its_streams_itself_and_puts_a_request_behind_its_front_and_size() -> None:
    assert set(re.findall(r"asyncio\.(\w+)", source_of(AIOKafkaConnection.connect))) == {"StreamReader", "StreamWriter"}
    send = source_of(AIOKafkaConnection.send)
    assert "message = header.encode() + request_struct.encode()" in send
    assert "len(message)" in send
    assert "self._writer.write(size + message)" in send
    assert send.count("message") == 3, "aiokafka does more with the bytes of a request now"


def test_a_consumer_connects_to_brokers_when_it_starts_by_its_client() -> None:
    assert "self._client = AIOKafkaClient(" in source_of(AIOKafkaConsumer.__init__)
    assert "self._client.bootstrap()" in source_of(AIOKafkaConsumer.start)
    assert "create_conn(" not in source_of(AIOKafkaConsumer)


@pytest.mark.parametrize("standing_in", [KeptRecords, MemoryRecords])
def test_what_stands_in_for_memory_records_has_what_the_fetcher_calls(standing_in: type) -> None:
    called = {"has_next", "size_in_bytes"}
    assert all(f"records.{name}()" in source_of(fetcher_module.Fetcher._proc_fetch_request) for name in called)
    assert called <= set(dir(standing_in)), f"{standing_in.__name__} lacks what the fetcher calls"


def test_the_fetcher_builds_records_of_a_partition_in_this_order_of_arguments() -> None:
    call = (
        "PartitionRecords( tp, records, aborted_transactions, fetch_offset, self._key_deserializer, "
        "self._value_deserializer, self._check_crcs, self._isolation_level, )"
    )
    assert call in source_of(fetcher_module.Fetcher._proc_fetch_request)


def test_a_fetch_result_takes_records_by_iterating_and_positions_from_their_next_fetch_offset() -> None:
    source = source_of(fetcher_module.FetchResult)
    assert "for msg in self._partition_records:" in source
    assert "state.consumed_to(self._partition_records.next_fetch_offset)" in source
    assert hasattr(UndecodedRecords, "__next__")


def test_the_consumer_is_made_with_a_fetcher_only_when_it_starts() -> None:
    assert "self._fetcher = Fetcher(" in source_of(AIOKafkaConsumer.start)
    assert "Fetcher(" not in source_of(AIOKafkaConsumer.__init__)
    assert "isolation_level=self._isolation_level" in source_of(AIOKafkaConsumer.start)


def test_a_leader_gives_out_partitions_by_the_topics_that_it_keeps_count_of_and_joins_anew_when_they_change() -> None:
    coordinator = GroupCoordinator
    assert "self._metadata_snapshot = self._get_metadata_snapshot()" in source_of(coordinator._perform_assignment)
    assert "self._group_subscription = None" in source_of(coordinator._on_join_prepare)
    assert "self._on_metadata_change()" in source_of(coordinator._handle_metadata_update)
    assert "self.request_rejoin()" in source_of(coordinator._on_metadata_change)
    assert "self._closing.set_result(None)" in source_of(coordinator.close)
    assert "self._coordinator = GroupCoordinator(" in source_of(AIOKafkaConsumer.start)


def test_who_has_no_assignment_after_joining_joins_anew_and_an_error_waits_for_a_reader() -> None:
    routine = source_of(GroupCoordinator._GroupCoordinator__coordination_routine)
    joining = routine[routine.index("if auto_assigned and self.need_rejoin(subscription):") :]
    assert "new_assignment = await self.ensure_active_group( subscription, assignment )" in joining
    assert "if new_assignment is None or not new_assignment.active: continue" in joining
    assert "except Errors.KafkaError as exc: await self._push_error_to_user(exc)" in joining
    assert "raise err" in source_of(CoordinatorGroupRebalance.perform_group_join)


def test_rebinding_leaves_the_original_alone() -> None:
    bound = rebind(AIOKafkaConsumer.start, Fetcher=None)
    assert bound.__code__ is AIOKafkaConsumer.start.__code__
    assert AIOKafkaConsumer.start.__globals__["Fetcher"] is fetcher_module.Fetcher
    assert bound.__globals__["Fetcher"] is None


def test_an_undecoding_consumer_is_an_aiokafka_consumer_of_the_same_shape() -> None:
    made = undecoding_consumer(frozenset({"trades"}))
    assert issubclass(made, AIOKafkaConsumer)
    assert made.__init__ is AIOKafkaConsumer.__init__  # `__class__` may be set on an instance of the stock class


def test_a_prepared_batch_has_all_that_the_producer_asks_of_a_batch_it_did_not_fill() -> None:
    asked = set(re.findall(r"_builder\.(\w+)\(", source_of(MessageBatch) + source_of(MessageAccumulator)))
    assert asked == {"append", "record_count", "closed", "close", "_set_producer_state", "_build"}
    assert asked - {"append"} <= set(dir(PreparedBatch)), "aiokafka asks for more of a batch now"


def test_a_producer_marks_a_batch_once_and_sends_what_it_built_again_as_it_was() -> None:
    source = source_of(MessageAccumulator._pop_batch)
    assert source.index("not_retry = batch.retry_count == 0") < source.index("batch.set_producer_state(")
    assert "self._txn_manager.increment_sequence_number(batch.tp, batch.record_count)" in source
    assert "self._sequence_numbers[tp] = seq" in source_of(TransactionManager.increment_sequence_number)
    assert "self._sequence_numbers[tp]" in source_of(TransactionManager.sequence_number)


def test_a_transaction_is_not_ended_before_its_batches_are_answered_or_failed() -> None:
    source = source_of(Sender._do_txn_commit)
    assert source.index("await self._message_accumulator.flush_for_commit()") < source.index("EndTxnHandler(")


def test_partitions_are_chosen_by_an_object_that_is_made_and_asked_so() -> None:
    source = source_of(PartitionAssignor._perform_assignment)
    made = "topics=topics, cluster_asgn=assgn, num_partitions=num_partitions, replicas=self.replicas, )"
    assert f"assignor = CopartitionedAssignor( {made}" in source
    assert "assignor.get_assignment().items()" in source


def test_a_group_chooses_by_the_assignors_that_its_consumer_has_when_it_starts() -> None:
    start = source_of(AIOKafkaConsumer.start)
    assert "assignors=self._partition_assignment_strategy" in start
    assert "_partition_assignment_strategy" in source_of(AIOKafkaConsumer.__init__)
    assert "for assignor in self._assignors" in source_of(GroupCoordinator._lookup_assignor)


def test_the_group_can_be_told_to_rebalance() -> None:
    assert inspect.isfunction(GroupCoordinator.request_rejoin), "GroupCoordinator.request_rejoin has moved"
    assert "self._coordinator = GroupCoordinator(" in source_of(AIOKafkaConsumer.start)


def test_faust_makes_its_consumer_where_ours_is_changed() -> None:
    assert "self._create_worker_consumer(transport)" in source_of(AIOKafkaConsumerThread._create_consumer)
    start = source_of(AIOKafkaConsumerThread.on_start)
    assert start.index("self._consumer = self._create_consumer(") < start.index("await self._consumer.start()")
    assert "_thread = self._new_consumer_thread()" in source_of(ThreadDelegateConsumer.__init__)
    assert driver.Transport.Consumer is driver.Consumer
    assert issubclass(driver.Consumer, ThreadDelegateConsumer)


def test_a_service_thread_is_served_by_the_worker_that_it_is_given_and_in_the_loop_that_it_is_given() -> None:
    init = source_of(ServiceThread.__init__)
    assert "self.thread_loop = thread_loop or" in init
    assert "self._close_thread_loop_on_stop = thread_loop is None" in init
    assert "self._thread = self.Worker(self) self._thread.start()" in source_of(ServiceThread.start)
    assert "run_until_complete(self._serve())" in source_of(ServiceThread._start_thread)
    assert "await self._gather_remaining_tasks()" in source_of(ServiceThread._serve)
    assert "await super().stop() if self._thread is not None: self._thread.stop()" in source_of(ServiceThread.stop)


def test_faust_seeks_by_the_method_that_ours_overrides_and_remembers_what_it_returns() -> None:
    source = source_of(Consumer.perform_seek)
    assert "await self.seek_to_committed()" in source
    assert "read_offset.update(" in source, "a fetch after a seek backwards would be dropped as read already"


@pytest.mark.parametrize("name", ["track_message", "verify_event_path", "seek_to_committed"])
def test_faust_s_consumer_has_the_method_that_ours_overrides(name: str) -> None:
    assert inspect.isfunction(getattr(driver.Consumer, name, None)), f"Consumer.{name} has moved"


def test_faust_takes_messages_from_getmany_and_waits_for_each_to_have_room_in_the_streams_of_its_partition() -> None:
    source = source_of(Consumer._drain_messages)
    assert "getmany = self.getmany" in source
    assert "if r_offset is None or offset >= r_offset:" in source
    assert "callback(message), self.suspend_flow.wait()" in source
    assert "set_read_offset(tp, offset)" in source
    assert "for tp, channels in self._tp_index.items()" in source_of(Conductor._update_callback_map)
    assert "call_thread( self._fetch_records, _consumer, active_partitions, timeout=timeout," in source_of(
        AIOKafkaConsumerThread.getmany
    )


def test_faust_makes_its_producer_of_the_class_that_ours_names() -> None:
    assert "return self._producer_type(" in source_of(driver.Producer._new_producer)
    assert driver.Transport.Producer is driver.Producer


def test_every_way_out_of_recovery_passes_a_method_that_ours_overrides() -> None:
    source = source_of(vars(Recovery)["_restart_recovery"].fun)
    assert "self._resume_streams" in source
    assert "self.on_recovery_completed" in source
    for name in ("_resume_streams", "on_recovery_completed"):
        method = getattr(Recovery, name)
        assert inspect.iscoroutinefunction(method)
        assert "perform_seek()" in source_of(method), f"Recovery.{name} no longer seeks: batches would begin elsewhere"


def test_a_table_with_a_channel_gets_no_other_and_is_started_all_the_same() -> None:
    source = source_of(TableManager._update_channels)
    assert "if table not in self._channels:" in source
    assert "await table.maybe_start()" in source
    assert "self._recovery is None" in source_of(vars(TableManager)["recovery"].fget)


def test_tables_are_stopped_after_fetching_and_revoked_before_the_group_is_told() -> None:
    assert "await self.tables.stop()" in source_of(App._stop_consumer)
    assert "self.on_partitions_revoked.send" in source_of(App._on_partitions_revoked)


def test_a_consumer_with_nothing_to_fetch_looks_again_after_a_second_unless_it_is_told_otherwise() -> None:
    source = source_of(Consumer._wait_next_records)
    assert "active_partitions = self._get_active_partitions()" in source
    assert "await self.sleep(1)" in source
    assert "self._buffered_partitions.add(tp)" in source_of(Consumer.on_buffer_full)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in source_of(AIOKafkaConsumer.start)


def test_partitions_are_added_to_a_transaction_before_it_ends_whether_they_are_sent_records_or_not() -> None:
    source = source_of(Sender._maybe_do_transactional_request)
    assert source.index("_do_add_partitions_to_txn(tps)") < source.index("_do_txn_commit(commit_result)")
    assert "tps = txn_manager.partitions_to_add()" in source
    assert "self._pending_txn_partitions.add(tp)" in source_of(TransactionManager.maybe_add_partition_to_txn)
    assert "return len(self.txn_partitions) == 0" in source_of(TransactionManager.is_empty_transaction)
