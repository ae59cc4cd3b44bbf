"""tuspy, which checks what it sends."""

import hashlib
import io
import os
import tempfile
import unittest
import unittest.mock

from support import MIB, arrived, film
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.storage import filestorage


def client(base=os.environ["WEIJIA_URL"]):
    return TusClient(f"{base}/api/v1/uploads", headers={"Cookie": os.environ["WEIJIA_COOKIE"]})


class Tuspy(unittest.TestCase):
    METADATA = {"filename": "村口 的 大树.mp4", "filetype": "video/mp4", "title": "大树"}

    def uploader(self, data, **options):
        return client().uploader(file_stream=io.BytesIO(data), metadata=self.METADATA, **options)

    def test_in_chunks(self):
        for chunk in [333_333, 8 * MIB + 1, 1 << 40]:
            with self.subTest(chunk=chunk):
                data = film(9 * MIB + 7, 1)
                uploader = self.uploader(data, chunk_size=chunk)
                uploader.upload()
                self.assertEqual(uploader.get_offset(), len(data))
                arrived(data, url=uploader.url)

    def test_with_a_sum_of_every_chunk(self):
        data = film(9 * MIB + 7, 3)
        uploader = self.uploader(data, chunk_size=2 * MIB, upload_checksum=True)
        uploader.upload(stop_at=4 * MIB)
        uploader.upload()
        arrived(data, url=uploader.url)

    def test_a_wrong_sum_does_not_count(self):
        data = film(3 * MIB, 4)
        uploader = self.uploader(data, chunk_size=MIB, upload_checksum=True)
        uploader.upload(stop_at=MIB)
        # On the way one byte of the second chunk has changed.
        uploader.file_stream = io.BytesIO(data[: MIB + 9] + b"?" + data[MIB + 10 :])
        honest = hashlib.sha1(data[MIB : 2 * MIB])
        with unittest.mock.patch.object(type(uploader), "checksum_algorithm", lambda *_: honest):
            with self.assertRaises(TusUploadFailed) as refused:
                uploader.upload()
        self.assertEqual(refused.exception.status_code, 460)
        self.assertEqual(uploader.get_offset(), MIB)
        uploader.file_stream = io.BytesIO(data)
        uploader.upload()
        arrived(data, url=uploader.url)

    def test_resumes_in_another_run(self):
        data = film(9 * MIB, 2)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "油菜花.mp4")
            with open(path, "wb") as file:
                file.write(data)
            for stop_at in [5_000_000, None]:
                storage = filestorage.FileStorage(os.path.join(folder, "urls"))
                uploader = client().uploader(
                    path, metadata=self.METADATA, chunk_size=2 * MIB, store_url=True, url_storage=storage
                )
                self.assertEqual(uploader.offset, 0 if stop_at else 5_000_000)
                uploader.upload(stop_at=stop_at)
                storage.close()
        arrived(data, url=uploader.url)

    def test_a_refusal_has_a_status(self):
        with self.assertRaises(TusUploadFailed) as refused:
            self.uploader(b"not a film " * 30_000, retries=0).upload()
        self.assertEqual(refused.exception.status_code, 422)
        with self.assertRaises(TusCommunicationError) as missing:
            self.uploader(b"", url=f"{client().url}/upload_0000000000000000000000000")
        self.assertEqual(missing.exception.status_code, 404)
