"""boto3 on the store: what its documentation shows, with the checksums that it sends by itself."""

import hashlib
import io
import os
import time
import unittest
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from support import MIB, arrived, film

BUCKET = os.environ["WEIJIA_BUCKET"]
LONGEST_KEY = int(os.environ["WEIJIA_LONGEST_KEY"])
KEYS = [
    "a b",
    "a+b",
    "a%20b",
    "a%2Fb",
    "油菜花/开了 🌼.mp4",
    "x",
    "x/y",
    "..",
    "../other/x",
    "q?a=b&c;d=e#f",
    "quote'\"<>&.txt",
    "汉" * ((LONGEST_KEY - len("keys/")) // len("汉".encode())),
]


def code(error):
    return error.exception.response["Error"]["Code"]


class Boto3(unittest.TestCase):
    def setUp(self):
        self.s3 = boto3.client("s3", config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}))

    def get(self, key, **options):
        return self.s3.get_object(Bucket=BUCKET, Key=key, **options)["Body"].read()

    def test_files_in_one_piece_and_in_several(self):
        config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
        for size in [0, 1, 8 * MIB - 1, 8 * MIB, 17 * MIB + 3]:
            with self.subTest(size=size):
                key, data = f"boto3/{size}", film(size, 1)
                self.s3.upload_fileobj(
                    io.BytesIO(data), BUCKET, key, ExtraArgs={"ContentType": "video/mp4"}, Config=config
                )
                back = io.BytesIO()
                self.s3.download_fileobj(BUCKET, key, back, Config=config)
                self.assertEqual(hashlib.sha256(back.getvalue()).digest(), hashlib.sha256(data).digest())
                head = self.s3.head_object(Bucket=BUCKET, Key=key)
                self.assertEqual((head["ContentLength"], head["ContentType"]), (size, "video/mp4"))
                arrived(data, bucket=BUCKET, key=key)

    def test_ranges(self):
        data = film(100_000, 2)
        self.s3.put_object(Bucket=BUCKET, Key="ranges", Body=data)
        for asked, expected in [
            ("bytes=0-0", data[:1]),
            ("bytes=10-19", data[10:20]),
            ("bytes=99990-", data[99990:]),
            ("bytes=-7", data[-7:]),
            ("bytes=5-1000000", data[5:]),
        ]:
            with self.subTest(asked=asked):
                self.assertEqual(self.get("ranges", Range=asked), expected)
        with self.assertRaises(ClientError) as beyond:
            self.get("ranges", Range="bytes=100000-")
        self.assertEqual(code(beyond), "InvalidRange")

    def test_keys_of_every_kind(self):
        for n, key in enumerate(KEYS):
            with self.subTest(key=key):
                body = f"{n} {key}".encode()
                self.s3.put_object(Bucket=BUCKET, Key="keys/" + key, Body=body)
                self.assertEqual(self.get("keys/" + key), body)
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="keys/")["Contents"]
        self.assertEqual([entry["Key"] for entry in listed], sorted(("keys/" + key for key in KEYS), key=str.encode))
        self.s3.delete_object(Bucket=BUCKET, Key="keys/x")
        self.assertEqual(self.get("keys/x/y"), b"6 x/y")

    def test_lists_page_by_page(self):
        names = [f"pages/{n:02}/{part}" for n in range(12) for part in ["a", "b"]]
        for name in names:
            self.s3.put_object(Bucket=BUCKET, Key=name, Body=b"")
        pages = self.s3.get_paginator("list_objects_v2")
        found = [page for page in pages.paginate(Bucket=BUCKET, Prefix="pages/", PaginationConfig={"PageSize": 5})]
        self.assertEqual([entry["Key"] for page in found for entry in page["Contents"]], names)
        self.assertEqual(len(found), 5)
        folders = pages.paginate(Bucket=BUCKET, Prefix="pages/", Delimiter="/", PaginationConfig={"PageSize": 5})
        prefixes = [entry["Prefix"] for page in folders for entry in page["CommonPrefixes"]]
        self.assertEqual(prefixes, [f"pages/{n:02}/" for n in range(12)])
        old = self.s3.get_paginator("list_objects").paginate(
            Bucket=BUCKET, Prefix="pages/", PaginationConfig={"PageSize": 7}
        )
        self.assertEqual([entry["Key"] for page in old for entry in page["Contents"]], names)
        gone = self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in names]})
        self.assertEqual(len(gone["Deleted"]), len(names))
        self.assertEqual(self.s3.list_objects_v2(Bucket=BUCKET, Prefix="pages/")["KeyCount"], 0)

    def test_copies_and_deletes(self):
        self.s3.put_object(Bucket=BUCKET, Key="from +?汉", Body=b"film", Metadata={"who": "mei"})
        self.s3.copy({"Bucket": BUCKET, "Key": "from +?汉"}, BUCKET, "to")
        head = self.s3.head_object(Bucket=BUCKET, Key="to")
        self.assertEqual((head["ContentLength"], head["Metadata"]), (4, {"who": "mei"}))
        for _ in range(2):
            self.s3.delete_object(Bucket=BUCKET, Key="to")
        with self.assertRaises(ClientError) as missing:
            self.get("to")
        self.assertEqual(code(missing), "NoSuchKey")
        with self.assertRaises(ClientError) as nowhere:
            self.s3.list_objects_v2(Bucket="no-such-bucket-anywhere")
        self.assertEqual(code(nowhere), "NoSuchBucket")

    def test_checksums_of_every_kind(self):
        data = film(70_000, 3)
        for algorithm in ["CRC32", "SHA1", "SHA256"]:
            with self.subTest(algorithm=algorithm):
                key = f"sums/{algorithm}"
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=data, ChecksumAlgorithm=algorithm)
                # Asked to, it compares what comes with what the store remembers.
                self.assertEqual(self.get(key, ChecksumMode="ENABLED"), data)
                head = self.s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
                self.assertIn(f"Checksum{algorithm}", head)
        with self.assertRaises(ClientError) as wrong:
            self.s3.put_object(Bucket=BUCKET, Key="sums/wrong", Body=data, ChecksumSHA256="A" * 43 + "=")
        self.assertIn(code(wrong), ["BadDigest", "InvalidDigest", "InvalidRequest"])

    def test_links_that_are_signed(self):
        data = film(50_000, 4)
        sign = self.s3.generate_presigned_url
        place = {"Bucket": BUCKET, "Key": "links/开 了+1.mp4"}
        put = urllib.request.Request(sign("put_object", place, ExpiresIn=600), data=data, method="PUT")
        self.assertEqual(urllib.request.urlopen(put).status, 200)
        link = sign("get_object", {**place, "ResponseContentType": "video/mp4"}, ExpiresIn=600)
        with urllib.request.urlopen(link) as answer:
            self.assertEqual((answer.read(), answer.headers["Content-Type"]), (data, "video/mp4"))
        for name, bad in [
            ("another key", link.replace("links/", "other/")),
            ("another method", sign("head_object", place, ExpiresIn=600)),
            ("no signature", link.split("?")[0]),
        ]:
            with self.subTest(bad=name), self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(bad)
            self.assertIn(refused.exception.code, [400, 403])
        short = sign("get_object", place, ExpiresIn=1)
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(short).close()
            except urllib.error.HTTPError as refused:
                self.assertIn(refused.code, [400, 403])
                break
            self.assertLess(time.monotonic(), deadline, "a link that never expires")
            time.sleep(0.2)

    def test_an_upload_in_parts_by_hand(self):
        place = {"Bucket": BUCKET, "Key": "parts"}
        upload = self.s3.create_multipart_upload(**place)["UploadId"]
        data = film(11 * MIB, 5)
        pieces = {1: data[: 5 * MIB], 2: data[5 * MIB : 10 * MIB], 3: data[10 * MIB :]}
        etags = {}
        for number in [3, 1, 2, 1]:
            sent = self.s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=pieces[number])
            etags[number] = sent["ETag"]
        parts = self.s3.list_parts(**place, UploadId=upload)["Parts"]
        self.assertEqual([(p["PartNumber"], p["Size"]) for p in parts], [(n, len(pieces[n])) for n in [1, 2, 3]])
        uploads = self.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
        self.assertIn(upload, [entry["UploadId"] for entry in uploads])
        whole = [{"PartNumber": n, "ETag": etags[n]} for n in [1, 2, 3]]
        with self.assertRaises(ClientError) as wrong:
            bad = [{"PartNumber": 1, "ETag": etags[2]}, *whole[1:]]
            self.s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": bad})
        self.assertEqual(code(wrong), "InvalidPart")
        self.s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": whole})
        arrived(data, bucket=BUCKET, key="parts")
        second = self.s3.create_multipart_upload(**place)["UploadId"]
        self.s3.abort_multipart_upload(**place, UploadId=second)
        with self.assertRaises(ClientError) as gone:
            self.s3.list_parts(**place, UploadId=second)
        self.assertEqual(code(gone), "NoSuchUpload")
