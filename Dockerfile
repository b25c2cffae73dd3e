# NOT BUILT where this project is developed: there is no Docker there. The steps are those of README.md, Installation.
#
#   docker build --build-arg ROS_DISTRO=jazzy --tag cs3 .
#   docker run --rm --net host cs3                              # on a CPU
#   docker run --rm --net host --gpus all cs3                   # PyTorch brings CUDA, the host its driver
#   docker run --rm --net host cs3 ros2 launch cs3_ros demo.launch.py rviz:=false
ARG ROS_DISTRO=jazzy
FROM ros:${ROS_DISTRO}-ros-base

RUN apt-get update && apt-get install --yes --no-install-recommends \
        cmake g++ make python3-dev python3-venv libportaudio2 ros-${ROS_DISTRO}-vision-msgs ros-${ROS_DISTRO}-tf2-msgs \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /cs3
COPY . .
RUN . /opt/ros/${ROS_DISTRO}/setup.sh && make setup

# scripts/run goes through the environment that `make setup` built.
ENTRYPOINT ["/bin/bash", "-c", ". /opt/ros/${ROS_DISTRO}/setup.sh && exec /cs3/scripts/run \"$@\"", "cs3"]
CMD ["ros2", "launch", "cs3_ros", "perception.launch.py"]
