# 两条命令：`make run` 跑起来，`make test` 全部检验一遍。缺什么，脚本自己装。
# 传参数给服务：make run ARGS="--listen 0.0.0.0:8080"

SHELL := /bin/bash
ARGS ?=
ROWS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-scale torture build bench bench-upload bench-media clean

help:
	@echo "make run    安装缺少的软件，编译，带演示数据启动（按 Ctrl-C 停）"
	@echo "make test   检验整个项目：格式、静态检查、单元、两种数据库、全程、浏览器"
	@echo "make test-scale  同样的上传和存储，在 PostgreSQL 和 S3 集群上检验，几台服务器一起跑；十分钟的和改坏的片子"
	@echo "make torture     几千次上传，存储、网络、电都在坏（一小时；TORTURE_MINUTES=5 短一些）"
	@echo "make build  只编译"
	@echo "make bench  测上传、存储和转码的速度和内存，和别家比（一小时；BENCH_QUICK=1 十分钟）"
	@echo "make clean  删掉编译结果（不碰 data/ 里的数据）"

run:
	@scripts/run.sh $(ARGS)

test:
	@scripts/test.sh

test-scale:
	@scripts/test-scale.sh

torture:
	@scripts/torture.sh

build:
	@scripts/build.sh

bench: bench-upload bench-media

# 只测几样：make bench-upload ROWS="large many"
bench-upload:
	@scripts/bench.sh upload $(ROWS)

# 只测几样：make bench-media ROWS="reencode quality"
bench-media:
	@scripts/bench.sh media $(ROWS)

clean:
	@rm -rf target web/dist web/node_modules tests/browser/node_modules tests/clients/node_modules tests/clients/python bench/peer/node_modules
