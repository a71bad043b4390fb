"""The other side of aiokafka_test.ts: creates, fills and reads topics with aiokafka, a client in pure Python.

aiokafka_peer.py create  BOOTSTRAP TOPIC PARTITIONS
aiokafka_peer.py produce BOOTSTRAP TOPIC CODEC   < JSON lines
aiokafka_peer.py consume BOOTSTRAP TOPIC COUNT   > JSON lines

A line is {"key", "value", "headers": [[name, value]], "partition", "timestamp"}, with bytes in base64.
"""

import asyncio
import base64
import json
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


def decode(text):
    return None if text is None else base64.b64decode(text)


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


async def create(bootstrap, topic, partitions):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, int(partitions), 1)])
    finally:
        await admin.close()


async def produce(bootstrap, topic, codec):
    compression = None if codec == "none" else codec
    # A linger, so that the records of a partition share a batch: that is what is compressed.
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=compression, linger_ms=50)
    await producer.start()
    try:
        sent = []
        for line in sys.stdin:
            record = json.loads(line)
            sent.append(await producer.send(
                topic,
                key=decode(record["key"]),
                value=decode(record["value"]),
                headers=[(name, decode(value)) for name, value in record["headers"]],
                partition=record["partition"],
                timestamp_ms=record["timestamp"],
            ))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def consume(bootstrap, topic, count):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        for _ in range(int(count)):
            message = await asyncio.wait_for(consumer.getone(), 30)
            print(json.dumps({
                "key": encode(message.key),
                "value": encode(message.value),
                "headers": [[name, encode(value)] for name, value in message.headers],
                "partition": message.partition,
                "timestamp": message.timestamp,
            }))
    finally:
        await consumer.stop()


command = {"create": create, "produce": produce, "consume": consume}[sys.argv[1]]
asyncio.run(command(*sys.argv[2:]))
